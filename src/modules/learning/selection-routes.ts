import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { SelectionStatus, SelectionType } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { Selection } from '../../generated/prisma/client.ts';
import { Id, problemResponses } from '../../platform/http/schemas.ts';
import { SelectionView, TAGS } from './learning-schemas.ts';
import { selectCourse, type SelectCourseDeps } from './select-course.ts';

export function selectionRoutes(deps: SelectCourseDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/selections', {
      schema: {
        ...TAGS,
        summary: 'Select a course for a user: a free one is selected at once (701001), a charged one awaits payment (701002)',
        description: 'Repeating it gives the open selection again (200), also when asked concurrently. An expired free selection is renewed (200).',
        body: Type.Object({ userId: Id, courseId: Id }),
        response: { 200: SelectionView, 201: SelectionView, ...problemResponses },
      },
    }, async ({ body }, reply) => {
      const { selection, outcome } = await selectCourse(deps, body.userId, body.courseId);
      return reply.code(outcome === 'created' ? 201 : 200).send(view(selection));
    });

    app.get('/selections/:selectionId', {
      schema: {
        ...TAGS,
        summary: 'One selection',
        params: Type.Object({ selectionId: Id }),
        response: { 200: SelectionView, ...problemResponses },
      },
    }, async ({ params: { selectionId } }) => {
      const selection = await deps.db.selection.findUnique({ where: { selectionId } });
      if (selection === null) throw new RequestError(404, 'selection-unknown', `There is no selection ${selectionId}.`);
      return view(selection);
    });
  };
}

function view(selection: Selection): SelectionView {
  return {
    ...selection,
    selectionType: selection.selectionType as SelectionType,
    status: selection.status as SelectionStatus,
    price: selection.price.toString(),
    validFrom: selection.validFrom?.toISOString() ?? null,
    validTo: selection.validTo?.toISOString() ?? null,
    refundedAt: selection.refundedAt?.toISOString() ?? null,
    createdAt: selection.createdAt.toISOString(),
  };
}
