export { findSelectionPrice, type SelectionPrice } from './find-selection-price.ts';
export { learningHandler } from './learning-handler.ts';
export { learningRoutes, type LearningRoutesDeps } from './learning-routes.ts';
