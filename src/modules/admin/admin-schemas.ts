import { Type } from 'typebox';
import { MODULE_NAMES } from '../../contracts/topology.ts';
import { DecimalString } from '../../platform/http/schemas.ts';

/** Replays and lag read the log page by page: they may take longer than a webhook, but not for ever. */
export const ADMIN_TIMEOUT_MS = 30_000;

export const ModuleSchema = Type.Enum([...MODULE_NAMES]);
export const TimeSchema = Type.String({ format: 'date-time' });
export const PositionOrNull = Type.Union([DecimalString, Type.Null()], { description: 'Position in the log; null = before its first event' });

export const TAGS = { tags: ['admin'], security: [{ adminToken: [] }] };

export function positionText(position: bigint): string | null {
  return position < 0n ? null : position.toString();
}
