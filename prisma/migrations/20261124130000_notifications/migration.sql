-- CreateTable
CREATE TABLE "notifications" (
    "event_id" UUID NOT NULL,
    "state" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "pay_no" TEXT,
    "provider_trade_no" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "expected" TEXT NOT NULL DEFAULT '',
    "received" TEXT NOT NULL DEFAULT '',
    "notification" JSONB,
    "position" BIGINT NOT NULL,
    "recorded_at" TIMESTAMPTZ(3) NOT NULL,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "next_try_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "resolved_at" TIMESTAMPTZ(3),
    "resolved_by" TEXT,
    "note" TEXT,

    CONSTRAINT "notifications_pkey" PRIMARY KEY ("event_id")
);

-- CreateIndex
CREATE INDEX "notifications_state_position_idx" ON "notifications"("state", "position");

-- CreateIndex
CREATE INDEX "notifications_state_next_try_at_idx" ON "notifications"("state", "next_try_at");

-- CreateIndex
CREATE INDEX "notifications_pay_no_idx" ON "notifications"("pay_no");

-- CreateIndex
CREATE INDEX "notifications_provider_account_provider_trade_no_idx" ON "notifications"("provider", "account", "provider_trade_no");
