import type { FastifyInstance } from 'fastify';

/**
 * Remembers every route, so that a known path with a wrong method is told from an unknown path (405 with `Allow`
 * instead of 404). Looked at only after no route matched; it decides nothing but the words of the refusal.
 */
export interface KnownPaths {
  /** Methods that the path of `url` can be called with; empty for an unknown path. */
  methodsOf(url: string): string[];
}

export function rememberPaths(app: FastifyInstance): KnownPaths {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const name of [method].flat()) route.methods.add(name);
    routes.set(url, route);
  });
  return {
    methodsOf(url) {
      const path = url.split('?', 1)[0] ?? '';
      const methods = [...routes.values()].filter(({ pattern }) => pattern.test(path)).flatMap((route) => [...route.methods]);
      return [...new Set(methods)].sort();
    },
  };
}

function patternOf(route: string): RegExp {
  const parts = route.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+';
    if (part === '*') return '.*';
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}$`);
}
