export { createStoreBinding, type StoreBinding, type StoreBindingDeps, type StoreSight } from './store-binding.ts';
export { refuseForeignStore, type RefuseForeignStoreDeps } from './refuse-foreign-store.ts';
export type { AdoptionPlan } from './adopt.ts';
export type { BeginAgain, Beginning } from './binding-row.ts';
