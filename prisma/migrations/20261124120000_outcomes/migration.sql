-- AlterTable
ALTER TABLE "pay_records" ADD COLUMN "refunded_total" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "refunded_at" TIMESTAMPTZ(3),
ADD COLUMN "closed_at" TIMESTAMPTZ(3),
ADD COLUMN "settled_at" TIMESTAMPTZ(3),
ADD COLUMN "settled_by" TEXT,
ADD COLUMN "settled_note" TEXT,
ADD COLUMN "settled_kind" TEXT;

-- AlterTable
ALTER TABLE "selections" ADD COLUMN "refunded_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "selection_payments" (
    "selection_id" TEXT NOT NULL,
    "pay_no" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "paid_at" TIMESTAMPTZ(3),
    "refunded_total" BIGINT NOT NULL DEFAULT 0,
    "refunded_at" TIMESTAMPTZ(3),

    CONSTRAINT "selection_payments_pkey" PRIMARY KEY ("selection_id","pay_no")
);



-- From here on written by hand: what the models cannot say.

-- What learning has applied before this version, so that those payments can be refunded. Its own ledger says which they
-- are: a payment that orders has applied and learning has not will still come as a message. When orders is the one that
-- lags, the selection says when it was paid.
INSERT INTO "selection_payments" ("selection_id", "pay_no", "amount", "paid_at")
SELECT DISTINCT s."selection_id", p."pay_no", p."amount", COALESCE(p."paid_at", s."valid_from")
FROM "effect_ledger" l
JOIN "pay_records" p ON p."pay_no" = l."pay_no"
JOIN "orders" o ON o."order_id" = p."order_id"
JOIN "selections" s ON s."selection_id" = o."out_business_id"
WHERE l."module" = 'learning' AND l."outcome" = 'applied' AND l."event_type" = 'PaymentSucceeded' AND o."order_type" = '60201';

-- Money that waits to be given back is listed oldest first, and is rare among what was paid.
CREATE INDEX "pay_records_open_work" ON "pay_records"("paid_at", "pay_no") WHERE "status" = '601002' AND ("overpaid" OR "closed_at" IS NOT NULL);
CREATE INDEX "pay_records_settled_work" ON "pay_records"("settled_at", "pay_no") WHERE "settled_at" IS NOT NULL;

-- A refund has a sum and a time, or is none.
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_refund_check" CHECK ("refunded_total" >= 0 AND ("refunded_total" = 0 OR "refunded_at" IS NOT NULL));
ALTER TABLE "selection_payments" ADD CONSTRAINT "selection_payments_amount_check" CHECK ("amount" > 0),
  ADD CONSTRAINT "selection_payments_refund_check" CHECK ("refunded_total" >= 0 AND ("refunded_total" = 0 OR "refunded_at" IS NOT NULL));

-- A settlement is whole or none.
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_settled_check" CHECK (
  ("settled_at" IS NULL AND "settled_by" IS NULL AND "settled_note" IS NULL AND "settled_kind" IS NULL)
  OR ("settled_at" IS NOT NULL AND "settled_by" IS NOT NULL AND "settled_note" IS NOT NULL AND "settled_kind" IN ('overpaid', 'paid-after-close')));

-- A state is never without the facts it stands for: refunded is what was paid and came back in full.
ALTER TABLE "pay_records" DROP CONSTRAINT "pay_records_status_check";
ALTER TABLE "pay_records" ADD CONSTRAINT "pay_records_status_check" CHECK (
  ("status" = '601001' AND "paid_at" IS NULL AND "paid_position" IS NULL AND "provider_trade_no" IS NULL AND NOT "overpaid")
  OR ("status" IN ('601002', '601003') AND "paid_at" IS NOT NULL AND "paid_position" IS NOT NULL
    AND "provider_trade_no" IS NOT NULL AND "channel" IS NOT NULL
    AND ("status" = '601003') = ("refunded_total" >= "amount")
    AND ("status" = '601002' OR NOT "overpaid")));
ALTER TABLE "orders" ADD CONSTRAINT "orders_outcome_check" CHECK (
  ("status" <> '600003' OR "paid_pay_no" IS NULL) AND ("status" <> '600004' OR "paid_pay_no" IS NOT NULL));

-- Only what was paid for can be withdrawn.
ALTER TABLE "selections" ADD CONSTRAINT "selections_refund_check" CHECK ("refunded_at" IS NULL OR ("status" = '701001' AND "selection_type" = '700002'));
