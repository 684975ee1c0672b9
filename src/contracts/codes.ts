/**
 * Dictionary codes of the course platform this product grew out of. They are stored and sent as these strings,
 * so that existing screens, reports and consumers keep working.
 */

/** Group 201: how a course is charged. */
export const CourseCharge = { free: '201000', charged: '201001' } as const;
export type CourseCharge = (typeof CourseCharge)[keyof typeof CourseCharge];

/** Group 600: state of an order. */
export const OrderStatus = {
  unpaid: '600001',
  paid: '600002',
  closed: '600003',
  refunded: '600004',
  finished: '600005',
} as const;
export type OrderStatus = (typeof OrderStatus)[keyof typeof OrderStatus];

/** Group 601: state of one pay record (one attempt to pay an order, named by its payNo). */
export const PayRecordStatus = { unpaid: '601001', paid: '601002', refunded: '601003' } as const;
export type PayRecordStatus = (typeof PayRecordStatus)[keyof typeof PayRecordStatus];

/** Group 602: what an order buys. Travels as `businessKey2` of every message. */
export const OrderType = { course: '60201', studyMaterials: '60202' } as const;
export type OrderType = (typeof OrderType)[keyof typeof OrderType];

/** Group 603: through which channel a pay record was paid. Channels without a code of the original are stored by provider name. */
export const PayChannel = { wechatpay: '603001', alipay: '603002' } as const;

/** Group 700: kind of a course selection. */
export const SelectionType = { free: '700001', charged: '700002' } as const;
export type SelectionType = (typeof SelectionType)[keyof typeof SelectionType];

/** Group 701: state of a course selection. */
export const SelectionStatus = { selected: '701001', awaitingPayment: '701002' } as const;
export type SelectionStatus = (typeof SelectionStatus)[keyof typeof SelectionStatus];

/** Group 702: may this user learn this course now? */
export const LearningRight = { mayLearn: '702001', notSelectedOrUnpaid: '702002', expired: '702003' } as const;
export type LearningRight = (typeof LearningRight)[keyof typeof LearningRight];
