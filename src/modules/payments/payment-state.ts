import type {
  PaymentEvent,
  PaymentNotificationRejected,
  PaymentRequested,
  PaymentSucceeded,
} from '../../contracts/payment-events.ts';

/** What the events of one payment add up to. */
export interface PaymentState {
  readonly requested: PaymentRequested | null;
  readonly succeeded: PaymentSucceeded | null;
  readonly rejections: readonly PaymentNotificationRejected[];
}

export const NOTHING_YET: PaymentState = { requested: null, succeeded: null, rejections: [] };

/** Events of types that have no part in the state (also types of a later version) change nothing. */
export function evolve(state: PaymentState, event: PaymentEvent): PaymentState {
  switch (event.type) {
    case 'PaymentRequested':
      return { ...state, requested: event.data };
    case 'PaymentSucceeded':
      return { ...state, succeeded: state.succeeded ?? event.data };
    case 'PaymentNotificationRejected':
      return { ...state, rejections: [...state.rejections, event.data] };
    default:
      return state;
  }
}

export function fold(events: readonly PaymentEvent[]): PaymentState {
  return events.reduce(evolve, NOTHING_YET);
}
