import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { apiPages } from './api-pages.ts';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';
import { ProblemSchema } from './schemas.ts';

/** OpenAPI 3.1 from the route schemas: page at `/docs`, document at `/docs/json`. Routes must be added in plugins. */
export function addApiDocument(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'paynotify',
        version,
        description: 'Payment results, stored once and delivered to every module exactly once in effect. Amounts are decimal strings of minor units; errors are RFC 9457 problem documents with a stable `type`.',
      },
      components: {
        responses: {
          // OpenAPI says what a route answers, and not what is answered where there is none.
          Refused: { description: 'What is at no path, called by a method that its path does not know, or cannot be read as HTTP', content: { [PROBLEM_MEDIA_TYPE]: { schema: ProblemSchema } } },
        },
        securitySchemes: {
          serviceToken: { type: 'http', scheme: 'bearer', description: "Token of the shop's backend" },
          adminToken: { type: 'http', scheme: 'bearer', description: "Operator's token; the name behind it is recorded with each action" },
        },
      },
    },
  });
  app.register(apiPages, { prefix: '/docs' });
}
