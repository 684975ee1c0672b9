import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { Type, type TSchema } from 'typebox';
import { closeSchema } from './close-schema.ts';
import { refuseAsInvalid, undeclaredMembers } from './validation-failures.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What this route does not know is passed over: a caller that we do not command may add to what it sends. */
    readonly takesUnknown?: boolean;
  }
}

const BODYLESS = ['GET', 'HEAD'];

/**
 * The one place that closes requests. Whatever route is added takes exactly what its schema declares, in path, query and
 * body and at every depth: no member of a request can reach further than somebody has thought of. Without a schema of the
 * query it takes no parameter, without one of the body no member. To be called before any route is added.
 */
export function closeRequests(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    // Hidden routes are the pages of the API document, which is open.
    if (route.config?.takesUnknown === true || route.schema?.hide === true) return;
    const { params, querystring = Type.Object({}), body } = (route.schema ?? {}) as Readonly<Record<'params' | 'querystring' | 'body', TSchema | undefined>>;
    route.schema = {
      ...route.schema,
      querystring: closeSchema(querystring),
      ...(params === undefined ? {} : { params: closeSchema(params) }),
      ...(body === undefined ? {} : { body: closeSchema(body) }),
    };
    if (body === undefined && !isBodyless(route)) route.preValidation = [refuseMembers, ...[route.preValidation ?? []].flat()];
  });
}

function isBodyless({ method }: RouteOptions): boolean {
  return [method].flat().every((name) => BODYLESS.includes(name));
}

/** `{}` says nothing, and some clients send it with every POST. */
async function refuseMembers({ body }: FastifyRequest): Promise<void> {
  if (body === undefined || body === null) return;
  const failures = undeclaredMembers('body', body);
  if (failures.length > 0) throw refuseAsInvalid(failures);
}
