import { Type } from 'typebox';
import { WORK_ITEM_KINDS } from '../../contracts/work-items.ts';
import { DecimalString } from './schemas.ts';

const Time = Type.String({ format: 'date-time' });
const TimeOrNull = Type.Union([Time, Type.Null()]);
const TextOrNull = Type.Union([Type.String(), Type.Null()]);

/** One work item, as operators see it and as its order shows it. */
export const WorkItemFields = {
  id: Type.String({ description: 'Names the item where several stand on one payment' }),
  kind: Type.Enum(WORK_ITEM_KINDS, {
    description: 'overpaid: another pay record pays the order. paid-after-close: the payment had been closed, yet money came; the sale stands until it is given back. refund-failed: a refund did not arrive, and is to be given back again. disputed: the buyer\'s bank takes the money back, or wants to. webhooks-limited: the payment takes no more events of the provider',
  }),
  payNo: TextOrNull,
  orderId: TextOrNull,
  userId: TextOrNull,
  subject: Type.Union([Type.String(), Type.Null()], { description: 'Of a dispute its id' }),
  amount: Type.Union([DecimalString, Type.Null()], { description: 'Minor units: of overpaid and paid-after-close the price, of refund-failed what is due, of disputed what is disputed' }),
  currency: TextOrNull,
  refundedTotal: Type.String({ description: 'What of the payment went back and did not come again, minor units' }),
  amountToGiveBack: Type.String({ description: 'Paid and not refunded (any more), minor units; of disputed 0' }),
  dueBy: Type.Union([Time, Type.Null()], { description: 'Until when the provider takes evidence' }),
  detail: Type.Union([Type.String(), Type.Null()], { description: 'The provider\'s word: why the refund failed, the dispute\'s reason, `lost`' }),
  since: Type.String({ format: 'date-time', description: 'When the money came, or what is told of it happened, by the provider\'s clock' }),
  endedAt: TimeOrNull,
  settledAt: Type.Union([Time, Type.Null()], { description: 'Of an open item: of an earlier settlement, when less was to be given back than now' }),
  settledBy: TextOrNull,
  settledNote: TextOrNull,
};
