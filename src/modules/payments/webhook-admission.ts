import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../../contracts/errors.ts';
import { createBodyBudget, type BudgetShare } from '../../platform/http/body-budget.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import type { ProviderAccounts } from './provider-accounts.ts';

/*
 * How the memory of webhooks is bounded. Nothing of a body is read before: the account is known → the body may be as large
 * as it says (one without a length counts as the largest) → there is room for it among all that are held at once. The room
 * is given back when the answer is out and nobody works on the body any more. A body that comes slowly keeps its room for
 * the time that bodies have (limit-bodies.ts), and no longer; its connection is closed then. A body is read into one buffer
 * (read-body.ts), which at worst is half as large again while it grows.
 */

/** A Stripe event is under 256 KB and every other notification smaller; an order with thousands of lines in it is not ours. */
export const WEBHOOK_BODY_BYTES_MAX = 1024 * 1024;

/** Notifications have 1 to 20 KB. */
const ORDINARY_BYTES_MAX = 32 * 1024;
const MIB = 1024 * 1024;

/**
 * | body          | is let in while fewer are held than | so that besides there is room for |
 * | ------------- | ----------------------------------- | --------------------------------- |
 * | up to 32 KiB  | 64 MiB                              |                                   |
 * | up to 128 KiB | 56 MiB                              | 256 ordinary ones of full size    |
 * | up to 1 MiB   | 48 MiB                              | 64 of 128 KiB                     |
 *
 * 48 of the largest at once are far more than providers send; a burst of ordinary ones is a few MiB.
 */
export const WEBHOOK_BUDGET: readonly BudgetShare[] = [
  { bodyBytesMax: ORDINARY_BYTES_MAX, reservedBytesMax: 64 * MIB },
  { bodyBytesMax: 128 * 1024, reservedBytesMax: 56 * MIB },
  { bodyBytesMax: WEBHOOK_BODY_BYTES_MAX, reservedBytesMax: 48 * MIB },
];

/** What a refused request still sends is read and thrown away up to this much; past it the connection is closed. */
const DISCARDED_BYTES_MAX = ORDINARY_BYTES_MAX;

export interface WebhookAdmission {
  /** `onRequest` hook. @throws RequestError 401, 413, 503 before any of the body is read. */
  admit(request: FastifyRequest, reply: FastifyReply): void;
  /** Keeps the room for the body while `work` is done on it, also past the answer. */
  working<T>(request: FastifyRequest, work: () => Promise<T>): Promise<T>;
}

interface Room {
  readonly giveBack: () => void;
  isAnswered: boolean;
  isWorkedOn: boolean;
}

export function createWebhookAdmission(accounts: ProviderAccounts, metrics: Metrics): WebhookAdmission {
  const budget = createBodyBudget(WEBHOOK_BUDGET, (bytes) => metrics.webhookBodyBytes.set(bytes));
  const rooms = new WeakMap<FastifyRequest, Room>();
  const settle = (room: Room): void => {
    if (room.isAnswered && !room.isWorkedOn) room.giveBack();
  };
  return {
    admit(request, reply) {
      const { provider, account } = request.params as { provider: string; account: string };
      if (accounts.find(provider, account) === null) throw new RequestError(401, 'unknown-account', 'There is no such account.');
      const bytes = bodyBytesOf(request) ?? WEBHOOK_BODY_BYTES_MAX;
      if (bytes > WEBHOOK_BODY_BYTES_MAX) throw new RequestError(413, 'body-too-large', 'The body is larger than this route takes.');
      const giveBack = budget.reserve(bytes);
      if (giveBack === null) throw new RequestError(503, 'too-many-bodies', 'Too many webhooks are being read at once.');
      const room: Room = { giveBack, isAnswered: false, isWorkedOn: false };
      rooms.set(request, room);
      // Comes in any case: when the answer is out, or when its connection is lost before.
      reply.raw.once('close', () => {
        room.isAnswered = true;
        settle(room);
      });
    },
    async working(request, work) {
      const room = rooms.get(request);
      if (room === undefined) return work();
      room.isWorkedOn = true;
      try {
        return await work();
      } finally {
        room.isWorkedOn = false;
        settle(room);
      }
    },
  };
}

/** @returns bytes that the body says to have; null when it does not say. Node has refused a length that is none. */
function bodyBytesOf({ headers }: FastifyRequest): number | null {
  if (headers['transfer-encoding'] !== undefined) return null;
  return Number(headers['content-length'] ?? 0);
}

/**
 * Whether the connection of a refused request has to go: what it still sends is not wanted, and would be taken for the next
 * request otherwise. A short rest is thrown away instead, since a sender whose connection is cut off may miss the answer.
 */
export function mustClose(request: FastifyRequest, reason: string): boolean {
  if (request.raw.complete) return false;
  const bytes = bodyBytesOf(request);
  return reason === 'request-too-slow' || bytes === null || bytes > DISCARDED_BYTES_MAX;
}
