import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { apiPages } from './api-pages.ts';

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
        securitySchemes: {
          serviceToken: { type: 'http', scheme: 'bearer', description: "Token of the shop's backend" },
          adminToken: { type: 'http', scheme: 'bearer', description: "Operator's token; the name behind it is recorded with each action" },
        },
      },
    },
  });
  app.register(apiPages, { prefix: '/docs' });
}
