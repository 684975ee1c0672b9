-- AlterTable
ALTER TABLE "pay_records" ADD COLUMN "paid_amount" BIGINT,
ADD COLUMN "refunded_generation" BIGINT,
ADD COLUMN "refunded_position" BIGINT,
ADD COLUMN "refund_due" BIGINT NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "selection_payments" ADD COLUMN "paid_amount" BIGINT,
ADD COLUMN "refunded_generation" BIGINT,
ADD COLUMN "refunded_position" BIGINT;

-- CreateTable
CREATE TABLE "work_items" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "key" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "pay_no" TEXT,
    "order_id" TEXT,
    "user_id" TEXT,
    "subject" TEXT,
    "amount" BIGINT,
    "currency" TEXT,
    "amount_due" BIGINT NOT NULL DEFAULT 0,
    "due_by" TIMESTAMPTZ(3),
    "detail" TEXT,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "generation" BIGINT,
    "position" BIGINT,
    "state" TEXT NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "settled_at" TIMESTAMPTZ(3),
    "settled_by" TEXT,
    "settled_note" TEXT,
    "settled_amount" BIGINT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "work_items_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "work_items_key_key" ON "work_items"("key");

-- CreateIndex
CREATE INDEX "work_items_pay_no_idx" ON "work_items"("pay_no");

-- CreateIndex
CREATE INDEX "work_items_order_id_idx" ON "work_items"("order_id");



-- From here on written by hand: what the models cannot say.

-- A sum of nothing has no time any more: a total may fall to nothing again.
UPDATE "pay_records" SET "refunded_at" = NULL WHERE "refunded_total" = 0 AND "refunded_at" IS NOT NULL;
UPDATE "selection_payments" SET "refunded_at" = NULL WHERE "refunded_total" = 0 AND "refunded_at" IS NOT NULL;

-- Which message a total is from, so that an older one that is told again does not lower it. Totals of the releases before
-- never fell, so it is the last that the module has applied. Where its ledger does not say, any message is newer.
UPDATE "pay_records" p
SET "refunded_generation" = COALESCE(l."generation", 1), "refunded_position" = COALESCE(l."position", -1)
FROM "pay_records" r
LEFT JOIN (
  SELECT DISTINCT ON ("pay_no") "pay_no", "generation", "position" FROM "effect_ledger"
  WHERE "module" = 'orders' AND "event_type" = 'PaymentRefunded' AND "outcome" = 'applied'
  ORDER BY "pay_no", "generation" DESC, "position" DESC
) l ON l."pay_no" = r."pay_no"
WHERE r."pay_no" = p."pay_no" AND (r."refunded_total" > 0 OR l."pay_no" IS NOT NULL);
UPDATE "selection_payments" p
SET "refunded_generation" = COALESCE(l."generation", 1), "refunded_position" = COALESCE(l."position", -1)
FROM "selection_payments" r
LEFT JOIN (
  SELECT DISTINCT ON ("pay_no") "pay_no", "generation", "position" FROM "effect_ledger"
  WHERE "module" = 'learning' AND "event_type" = 'PaymentRefunded' AND "outcome" = 'applied'
  ORDER BY "pay_no", "generation" DESC, "position" DESC
) l ON l."pay_no" = r."pay_no"
WHERE r."selection_id" = p."selection_id" AND r."pay_no" = p."pay_no" AND (r."refunded_total" > 0 OR l."pay_no" IS NOT NULL);

-- What was a look at pay records becomes rows: what is open, and what an operator has settled. What waited when it was
-- settled was not kept; totals only grew since then, so what waits now was looked at.
WITH items AS (
  SELECT p.*, o."user_id", GREATEST(p."amount" - p."refunded_total", 0) AS "due",
         CASE WHEN p."status" = '601002' AND p."overpaid" THEN 'overpaid' WHEN p."status" = '601002' AND p."closed_at" IS NOT NULL THEN 'paid-after-close' END AS "open_kind"
  FROM "pay_records" p
  JOIN "orders" o ON o."order_id" = p."order_id"
  WHERE p."settled_at" IS NOT NULL OR (p."status" = '601002' AND (p."overpaid" OR p."closed_at" IS NOT NULL))
)
INSERT INTO "work_items" ("key", "kind", "pay_no", "order_id", "user_id", "amount", "currency", "amount_due", "since", "state", "settled_at", "settled_by", "settled_note", "settled_amount")
SELECT "settled_kind" || ':' || "pay_no", "settled_kind", "pay_no", "order_id", "user_id", "amount", "currency", "due", COALESCE("paid_at", "settled_at"), 'settled',
       "settled_at", "settled_by", "settled_note", "due"
FROM items WHERE "settled_at" IS NOT NULL
UNION ALL
SELECT "open_kind" || ':' || "pay_no", "open_kind", "pay_no", "order_id", "user_id", "amount", "currency", "due", "paid_at", 'open', NULL, NULL, NULL, NULL
FROM items WHERE "open_kind" IS NOT NULL AND "open_kind" IS DISTINCT FROM "settled_kind";

DROP INDEX "pay_records_open_work", "pay_records_settled_work";
ALTER TABLE "pay_records" DROP COLUMN "settled_at", DROP COLUMN "settled_by", DROP COLUMN "settled_note", DROP COLUMN "settled_kind";

-- Listed oldest first; the open ones are rare among all.
CREATE INDEX "work_items_open" ON "work_items"("since", "id") WHERE "state" = 'open';
CREATE INDEX "work_items_settled" ON "work_items"("settled_at", "id") WHERE "state" = 'settled';
CREATE INDEX "work_items_ended" ON "work_items"("ended_at", "id") WHERE "state" = 'ended';

-- A state is never without the facts it stands for, and a settlement is whole or none.
ALTER TABLE "work_items" ADD CONSTRAINT "work_items_state_check" CHECK (
    "state" IN ('open', 'ended', 'settled') AND ("state" = 'ended') = ("ended_at" IS NOT NULL) AND ("state" <> 'settled' OR "settled_at" IS NOT NULL)),
  ADD CONSTRAINT "work_items_settled_check" CHECK (num_nonnulls("settled_at", "settled_by", "settled_note", "settled_amount") IN (0, 4)),
  ADD CONSTRAINT "work_items_place_check" CHECK (("generation" IS NULL) = ("position" IS NULL)),
  ADD CONSTRAINT "work_items_amount_check" CHECK ("amount" >= 0 AND "amount_due" >= 0 AND ("amount" IS NULL OR "currency" IS NOT NULL));

-- A sum has a time and the message it is from, or is none. What was paid is at most what was asked for.
ALTER TABLE "pay_records" DROP CONSTRAINT "pay_records_refund_check",
  ADD CONSTRAINT "pay_records_refund_check" CHECK (
    "refunded_total" >= 0 AND "refund_due" >= 0 AND ("refunded_total" > 0) = ("refunded_at" IS NOT NULL)
    AND ("refunded_generation" IS NULL) = ("refunded_position" IS NULL)
    AND ("refunded_position" IS NOT NULL OR ("refunded_total" = 0 AND "refund_due" = 0))),
  ADD CONSTRAINT "pay_records_paid_amount_check" CHECK ("paid_amount" IS NULL OR ("paid_amount" BETWEEN 0 AND "amount" AND "paid_position" IS NOT NULL));
ALTER TABLE "selection_payments" DROP CONSTRAINT "selection_payments_refund_check",
  ADD CONSTRAINT "selection_payments_refund_check" CHECK (
    "refunded_total" >= 0 AND ("refunded_total" > 0) = ("refunded_at" IS NOT NULL)
    AND ("refunded_generation" IS NULL) = ("refunded_position" IS NULL) AND ("refunded_position" IS NOT NULL OR "refunded_total" = 0)),
  ADD CONSTRAINT "selection_payments_paid_amount_check" CHECK ("paid_amount" IS NULL OR ("paid_amount" BETWEEN 0 AND "amount" AND "paid_at" IS NOT NULL));

-- Refunded is what was paid and came back in full; a payment of nothing is not refunded before anything came back.
ALTER TABLE "pay_records" DROP CONSTRAINT "pay_records_status_check";
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_status_check" CHECK (
  ("status" = '601001' AND "paid_at" IS NULL AND "paid_position" IS NULL AND "provider_trade_no" IS NULL AND NOT "overpaid")
  OR ("status" IN ('601002', '601003') AND "paid_at" IS NOT NULL AND "paid_position" IS NOT NULL
    AND "provider_trade_no" IS NOT NULL AND "channel" IS NOT NULL
    AND ("status" = '601003') = ("refunded_total" > 0 AND "refunded_total" >= COALESCE("paid_amount", "amount"))
    AND ("status" = '601002' OR NOT "overpaid")));
