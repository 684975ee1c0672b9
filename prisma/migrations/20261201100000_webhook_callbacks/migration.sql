-- CreateTable
CREATE TABLE "webhook_callbacks" (
    "id" UUID NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "provider" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "reason" TEXT,
    "status" INTEGER,
    "genuine" BOOLEAN NOT NULL,
    "key_id" TEXT,
    "notification_id" TEXT,
    "provider_type" TEXT,
    "kind" TEXT,
    "pay_no" TEXT,
    "provider_trade_no" TEXT,
    "body_bytes" INTEGER,
    "trace_id" TEXT,
    "source" TEXT NOT NULL,
    "times" INTEGER NOT NULL DEFAULT 1,

    CONSTRAINT "webhook_callbacks_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "webhook_callbacks_received_at_id_idx" ON "webhook_callbacks"("received_at", "id");

-- CreateIndex
CREATE INDEX "webhook_callbacks_provider_account_received_at_idx" ON "webhook_callbacks"("provider", "account", "received_at");

-- CreateIndex
CREATE INDEX "webhook_callbacks_pay_no_idx" ON "webhook_callbacks"("pay_no");



-- From here on written by hand: what the models cannot say.

-- What is not genuine is few, and looked through again and again for what is too many.
CREATE INDEX "webhook_callbacks_not_genuine" ON "webhook_callbacks"("provider", "account", "received_at") WHERE NOT "genuine";
