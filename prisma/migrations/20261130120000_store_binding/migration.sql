-- CreateTable
CREATE TABLE "event_store_binding" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "store_id" UUID NOT NULL,
    "generation" BIGINT NOT NULL,
    "bound_by" TEXT NOT NULL,
    "bound_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "event_store_binding_pkey" PRIMARY KEY ("id")
);

-- AlterTable
ALTER TABLE "checkpoints" ADD COLUMN "prepare_position" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "landmark_position" BIGINT,
ADD COLUMN "landmark_event_id" UUID,
ADD COLUMN "landmark_recorded_at" TIMESTAMPTZ(3),
ADD COLUMN "generation" BIGINT NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "proven_positions" ADD COLUMN "prepare_position" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "generation" BIGINT NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "effect_ledger" ADD COLUMN "generation" BIGINT NOT NULL DEFAULT 1,
ADD COLUMN "recorded_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "notifications" ADD COLUMN "generation" BIGINT NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "pay_records" ADD COLUMN "paid_generation" BIGINT NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "replays" ADD COLUMN "generation" BIGINT NOT NULL DEFAULT 1;

-- DropIndex
DROP INDEX "effect_ledger_module_position_idx";

-- CreateIndex
CREATE INDEX "effect_ledger_module_generation_position_idx" ON "effect_ledger"("module", "generation", "position");

-- DropIndex
DROP INDEX "notifications_state_position_idx";

-- CreateIndex
CREATE INDEX "notifications_state_generation_position_idx" ON "notifications"("state", "generation", "position");



-- From here on written by hand: what the models cannot say.

-- A checkpoint of one number is (commit, 0): what lies exactly there was perhaps not dealt with.

-- A database is bound to one event store.
ALTER TABLE "event_store_binding" ADD CONSTRAINT "event_store_binding_single_check" CHECK ("id" = 1 AND "generation" >= 1);

-- A landmark is whole or none.
ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_landmark_check" CHECK (("landmark_position" IS NULL) = ("landmark_event_id" IS NULL) AND ("landmark_recorded_at" IS NULL OR "landmark_position" IS NOT NULL));
