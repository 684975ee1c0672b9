-- A parked message may be closed: a person has decided that it is not applied, and says why.
-- AlterTable
ALTER TABLE "parked_messages" ADD COLUMN "closed_by" TEXT,
  ADD COLUMN "closed_note" TEXT;

-- A closing is whole or none.
ALTER TABLE "parked_messages" ADD CONSTRAINT "parked_messages_closed_check" CHECK (
  ("state" = 'closed') = ("closed_by" IS NOT NULL) AND ("closed_by" IS NULL) = ("closed_note" IS NULL)
  AND ("state" <> 'closed' OR "resolved_at" IS NOT NULL));
