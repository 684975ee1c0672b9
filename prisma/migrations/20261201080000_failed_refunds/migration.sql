-- Failed refunds were rejected for a person to see, and have become events since: those that still wait are evaluated again.
UPDATE "notifications" SET "next_try_at" = now()
WHERE "state" = 'rejected' AND "reason" = 'refund-failed' AND "kind" = 'refund-failed' AND "notification" IS NOT NULL;
