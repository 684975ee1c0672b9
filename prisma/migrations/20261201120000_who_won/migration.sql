-- Whoever comes second is told who was first, and when: of a redrive and of a cancel, too.
-- AlterTable
ALTER TABLE "parked_messages" ADD COLUMN "redriven_by" TEXT;

-- AlterTable
ALTER TABLE "replays" ADD COLUMN "cancelled_at" TIMESTAMPTZ(3),
ADD COLUMN "cancelled_by" TEXT;
