import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply } from 'fastify';

/*
 * Swagger UI, and the document that it shows. Everything is in memory once and shared by all answers, however many wait to
 * be taken: a file that is streamed costs an open file and a buffer for each. So the files of @fastify/swagger-ui are
 * served, and its own routes are not used.
 */

interface Answer {
  readonly type: string;
  readonly body: Buffer;
}

const STATIC_FOLDER = new URL('static/', import.meta.resolve('@fastify/swagger-ui/package.json'));
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'index.css': 'text/css; charset=utf-8',
  'favicon-16x16.png': 'image/png',
  'favicon-32x32.png': 'image/png',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui-standalone-preset.js': 'text/javascript; charset=utf-8',
};

const CONTENT_SECURITY_POLICY =
  "default-src 'self'; base-uri 'self'; font-src 'self' https: data:; frame-ancestors 'self'; img-src 'self' data: validator.swagger.io; object-src 'none'; script-src 'self'; script-src-attr 'none'; style-src 'self' https:; upgrade-insecure-requests;";

/** Without a slash at its own end, the page says what its addresses begin with: a proxy may have put all of it below a path. */
const pageAt = (base: string): string => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">${base}
<title>paynotify</title>
<link rel="stylesheet" href="static/swagger-ui.css">
<link rel="stylesheet" href="static/index.css">
<link rel="icon" type="image/png" href="static/favicon-32x32.png" sizes="32x32">
<link rel="icon" type="image/png" href="static/favicon-16x16.png" sizes="16x16">
</head>
<body>
<div id="swagger-ui"></div>
<script src="static/swagger-ui-bundle.js"></script>
<script src="static/swagger-ui-standalone-preset.js"></script>
<script src="static/swagger-initializer.js"></script>
</body>
</html>
`;

const INITIALIZER = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: 'json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: 'StandaloneLayout',
    validatorUrl: null,
  });
};
`;

export async function apiPages(scope: FastifyInstance): Promise<void> {
  const kept = new Map<string, Promise<Answer>>();
  const serve = (path: string, make: () => Promise<Answer>): void => {
    scope.get(path, { schema: { hide: true }, prefixTrailingSlash: 'slash' }, async (_request, reply) => {
      // Of those who come first at the same time, one makes it for all; what failed is made again.
      const making = kept.get(path) ?? make();
      kept.set(path, making);
      return send(reply, await making.catch((error: unknown) => forget(path, error)));
    });
  };
  const forget = (path: string, error: unknown): never => {
    kept.delete(path);
    throw error;
  };

  serve('', async () => text('text/html; charset=utf-8', pageAt('<base href="docs/">')));
  serve('/', async () => text('text/html; charset=utf-8', pageAt('')));
  serve('/static/swagger-initializer.js', async () => text('text/javascript; charset=utf-8', INITIALIZER));
  for (const [name, type] of Object.entries(FILES)) serve(`/static/${name}`, async () => ({ type, body: await readFile(fileURLToPath(new URL(name, STATIC_FOLDER))) }));
  // All routes are known when the first request comes.
  serve('/json', async () => text('application/json; charset=utf-8', JSON.stringify(scope.swagger())));
  serve('/yaml', async () => text('application/x-yaml', scope.swagger({ yaml: true })));
}

function text(type: string, content: string): Answer {
  return { type, body: Buffer.from(content) };
}

function send(reply: FastifyReply, { type, body }: Answer): FastifyReply {
  return reply.header('content-security-policy', CONTENT_SECURITY_POLICY).type(type).send(body);
}
