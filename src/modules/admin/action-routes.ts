import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Database } from '../../platform/database/database.ts';
import { problemResponses, RowNumber } from '../../platform/http/schemas.ts';
import { TAGS } from './admin-schemas.ts';

const LIMIT_MAX = 500;

const ActionSchema = Type.Object({
  id: RowNumber,
  at: Type.String({ format: 'date-time' }),
  actor: Type.String(),
  action: Type.String(),
  target: Type.String(),
  detail: Type.Unknown(),
  result: Type.String({ description: '"started" until it is known; "failed: …" with the reason' }),
});

export function actionRoutes(db: Database): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/actions', {
      schema: {
        ...TAGS,
        summary: 'What operators did, newest first',
        querystring: Type.Object({
          before: Type.Optional(RowNumber),
          limit: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: 100 }),
        }),
        response: { 200: Type.Object({ actions: Type.Array(ActionSchema) }), ...problemResponses },
      },
    }, async ({ query }) => {
      const rows = await db.adminAction.findMany({
        where: query.before === undefined ? {} : { id: { lt: BigInt(query.before) } },
        orderBy: { id: 'desc' },
        take: query.limit,
      });
      return { actions: rows.map((row) => ({ ...row, id: row.id.toString(), at: row.at.toISOString() })) };
    });
  };
}
