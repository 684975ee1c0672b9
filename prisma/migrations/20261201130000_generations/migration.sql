-- Up to which place the log of a generation is that of the one before: what lies there keeps the generation it was first seen in.
-- CreateTable
CREATE TABLE "event_store_generations" (
    "generation" BIGINT NOT NULL,
    "follows" BIGINT NOT NULL,
    "shared_to" BIGINT NOT NULL,

    CONSTRAINT "event_store_generations_pkey" PRIMARY KEY ("generation")
);

ALTER TABLE "event_store_generations" ADD CONSTRAINT "event_store_generations_follows_check" CHECK ("follows" < "generation");
