export { openItemsOfOrder } from './view-work-item.ts';
export { workItemRoutes, type WorkItemRoutesDeps } from './work-item-routes.ts';
export { openWorkItem, writeWorkItems } from './write-work-items.ts';
