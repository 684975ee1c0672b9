-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "replays" (
    "id" TEXT NOT NULL,
    "module" TEXT NOT NULL,
    "mode" TEXT NOT NULL,
    "from_position" BIGINT NOT NULL,
    "to_position" BIGINT NOT NULL,
    "pay_no" TEXT,
    "rate_per_second" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "next_position" BIGINT NOT NULL,
    "published" BIGINT NOT NULL DEFAULT 0,
    "skipped" BIGINT NOT NULL DEFAULT 0,
    "error" TEXT,
    "requested_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),
    "claimed_by" TEXT,
    "claimed_until" TIMESTAMPTZ(3),

    CONSTRAINT "replays_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "replay_outcomes" (
    "replay_id" TEXT NOT NULL,
    "module" TEXT NOT NULL,
    "event_id" UUID NOT NULL,
    "outcome" TEXT NOT NULL,

    CONSTRAINT "replay_outcomes_pkey" PRIMARY KEY ("replay_id","module","event_id")
);

-- CreateTable
CREATE TABLE "admin_actions" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "detail" JSONB NOT NULL DEFAULT '{}',
    "result" TEXT NOT NULL,

    CONSTRAINT "admin_actions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "checkpoints" (
    "name" TEXT NOT NULL,
    "commit_position" BIGINT NOT NULL DEFAULT -1,
    "epoch" BIGINT NOT NULL DEFAULT 0,
    "owner" TEXT,
    "lease_until" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "checkpoints_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "effect_ledger" (
    "module" TEXT NOT NULL,
    "event_id" UUID NOT NULL,
    "pay_no" TEXT NOT NULL,
    "event_type" TEXT NOT NULL,
    "position" BIGINT NOT NULL,
    "outcome" TEXT NOT NULL,
    "applied_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "effect_ledger_pkey" PRIMARY KEY ("module","event_id")
);

-- CreateTable
CREATE TABLE "parked_messages" (
    "id" BIGSERIAL NOT NULL,
    "module" TEXT NOT NULL,
    "queue" TEXT NOT NULL,
    "event_id" UUID,
    "pay_no" TEXT,
    "position" BIGINT,
    "message_type" TEXT,
    "reason" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "body" BYTEA NOT NULL,
    "headers" JSONB NOT NULL DEFAULT '{}',
    "state" TEXT NOT NULL DEFAULT 'parked',
    "parked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "resolved_at" TIMESTAMPTZ(3),
    "redrive_count" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "parked_messages_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "started_executions" (
    "module" TEXT NOT NULL,
    "event_id" UUID NOT NULL,
    "started" INTEGER NOT NULL,

    CONSTRAINT "started_executions_pkey" PRIMARY KEY ("module","event_id")
);

-- CreateTable
CREATE TABLE "proven_positions" (
    "module" TEXT NOT NULL,
    "commit_position" BIGINT NOT NULL DEFAULT -1,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "proven_positions_pkey" PRIMARY KEY ("module")
);

-- CreateTable
CREATE TABLE "courses" (
    "course_id" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "charge" TEXT NOT NULL,
    "price" BIGINT NOT NULL,
    "currency" TEXT NOT NULL DEFAULT 'CNY',
    "valid_days" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "courses_pkey" PRIMARY KEY ("course_id")
);

-- CreateTable
CREATE TABLE "selections" (
    "selection_id" TEXT NOT NULL,
    "course_id" TEXT NOT NULL,
    "course_name" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "selection_type" TEXT NOT NULL,
    "price" BIGINT NOT NULL,
    "currency" TEXT NOT NULL DEFAULT 'CNY',
    "valid_days" INTEGER NOT NULL,
    "status" TEXT NOT NULL,
    "valid_from" TIMESTAMPTZ(3),
    "valid_to" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "selections_pkey" PRIMARY KEY ("selection_id")
);

-- CreateTable
CREATE TABLE "my_courses" (
    "user_id" TEXT NOT NULL,
    "course_id" TEXT NOT NULL,
    "selection_id" TEXT NOT NULL,
    "course_name" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "course_type" TEXT NOT NULL,
    "valid_from" TIMESTAMPTZ(3) NOT NULL,
    "valid_to" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "my_courses_pkey" PRIMARY KEY ("user_id","course_id")
);

-- CreateTable
CREATE TABLE "orders" (
    "order_id" TEXT NOT NULL,
    "out_business_id" TEXT NOT NULL,
    "order_type" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "paid_at" TIMESTAMPTZ(3),
    "paid_pay_no" TEXT,

    CONSTRAINT "orders_pkey" PRIMARY KEY ("order_id")
);

-- CreateTable
CREATE TABLE "order_items" (
    "order_id" TEXT NOT NULL,
    "line_no" INTEGER NOT NULL,
    "goods_id" TEXT NOT NULL,
    "goods_type" TEXT NOT NULL,
    "goods_name" TEXT NOT NULL,
    "price" BIGINT NOT NULL,

    CONSTRAINT "order_items_pkey" PRIMARY KEY ("order_id","line_no")
);

-- CreateTable
CREATE TABLE "pay_records" (
    "pay_no" TEXT NOT NULL,
    "order_id" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "channel" TEXT,
    "provider_trade_no" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "paid_at" TIMESTAMPTZ(3),
    "paid_position" BIGINT,
    "overpaid" BOOLEAN NOT NULL DEFAULT false,
    "requested" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "pay_records_pkey" PRIMARY KEY ("pay_no")
);

-- CreateIndex
CREATE INDEX "replays_state_idx" ON "replays"("state");

-- CreateIndex
CREATE INDEX "effect_ledger_module_position_idx" ON "effect_ledger"("module", "position");

-- CreateIndex
CREATE INDEX "effect_ledger_pay_no_idx" ON "effect_ledger"("pay_no");

-- CreateIndex
CREATE INDEX "parked_messages_module_state_pay_no_idx" ON "parked_messages"("module", "state", "pay_no");

-- CreateIndex
CREATE INDEX "selections_user_id_course_id_idx" ON "selections"("user_id", "course_id");

-- CreateIndex
CREATE UNIQUE INDEX "orders_out_business_id_key" ON "orders"("out_business_id");

-- CreateIndex
CREATE INDEX "orders_user_id_created_at_idx" ON "orders"("user_id", "created_at");

-- CreateIndex
CREATE INDEX "pay_records_order_id_idx" ON "pay_records"("order_id");

-- CreateIndex
CREATE UNIQUE INDEX "pay_records_provider_account_provider_trade_no_key" ON "pay_records"("provider", "account", "provider_trade_no");

-- AddForeignKey
ALTER TABLE "replay_outcomes" ADD CONSTRAINT "replay_outcomes_replay_id_fkey" FOREIGN KEY ("replay_id") REFERENCES "replays"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "order_items" ADD CONSTRAINT "order_items_order_id_fkey" FOREIGN KEY ("order_id") REFERENCES "orders"("order_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_order_id_fkey" FOREIGN KEY ("order_id") REFERENCES "orders"("order_id") ON DELETE RESTRICT ON UPDATE CASCADE;



-- From here on written by hand: what the models cannot say.

-- At most one charged selection of a user and course awaits payment, however many requests race for it.
CREATE UNIQUE INDEX "selections_one_awaiting_payment" ON "selections"("user_id", "course_id") WHERE "status" = '701002';

-- A free selection is renewed, never repeated.
CREATE UNIQUE INDEX "selections_one_free" ON "selections"("user_id", "course_id") WHERE "selection_type" = '700001';

-- Money is never negative; a charged course costs something and a free one nothing.
ALTER TABLE "courses" ADD CONSTRAINT "courses_price_check" CHECK ("price" >= 0 AND ("charge" = '201000') = ("price" = 0)),
  ADD CONSTRAINT "courses_charge_check" CHECK ("charge" IN ('201000', '201001')),
  ADD CONSTRAINT "courses_valid_days_check" CHECK ("valid_days" > 0);
ALTER TABLE "selections" ADD CONSTRAINT "selections_price_check" CHECK ("price" >= 0 AND ("selection_type" = '700001') = ("price" = 0)),
  ADD CONSTRAINT "selections_type_check" CHECK ("selection_type" IN ('700001', '700002')),
  ADD CONSTRAINT "selections_valid_days_check" CHECK ("valid_days" > 0);
ALTER TABLE "orders" ADD CONSTRAINT "orders_amount_check" CHECK ("amount" > 0),
  ADD CONSTRAINT "orders_type_check" CHECK ("order_type" IN ('60201', '60202'));
ALTER TABLE "order_items" ADD CONSTRAINT "order_items_price_check" CHECK ("price" >= 0);
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_amount_check" CHECK ("amount" > 0);

-- A state is never without the facts it stands for.
ALTER TABLE "selections" ADD CONSTRAINT "selections_status_check" CHECK (
  ("status" = '701002' AND "valid_from" IS NULL AND "valid_to" IS NULL) OR ("status" = '701001' AND "valid_from" < "valid_to"));
ALTER TABLE "my_courses" ADD CONSTRAINT "my_courses_validity_check" CHECK ("valid_from" < "valid_to");
ALTER TABLE "orders" ADD CONSTRAINT "orders_status_check" CHECK (
  "status" IN ('600001', '600002', '600003', '600004', '600005')
  AND ("paid_pay_no" IS NULL) = ("paid_at" IS NULL)
  AND ("status" <> '600001' OR "paid_pay_no" IS NULL)
  AND ("status" <> '600002' OR "paid_pay_no" IS NOT NULL));
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_status_check" CHECK (
  ("status" = '601001' AND "paid_at" IS NULL AND "provider_trade_no" IS NULL AND NOT "overpaid")
  OR ("status" IN ('601002', '601003') AND "paid_at" IS NOT NULL AND "paid_position" IS NOT NULL
    AND "provider_trade_no" IS NOT NULL AND "channel" IS NOT NULL));
