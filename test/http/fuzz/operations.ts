/** What the tests read of an OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DeclaredOperation>>>>;
  readonly components: { readonly responses: Readonly<Record<string, DeclaredResponse>> };
}

export interface DeclaredOperation {
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, DeclaredResponse>>;
}

export interface DeclaredResponse {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export type Schema = Readonly<Record<string, unknown>>;

export interface Operation {
  /** E.g. `post /orders`. */
  readonly name: string;
  readonly method: string;
  /** With `{name}` for each part that a caller chooses. */
  readonly path: string;
  readonly declared: DeclaredOperation;
  readonly token: 'serviceToken' | 'adminToken' | null;
  readonly bodySchema: Schema | null;
}

export function operationsOf(document: OpenApiDocument): readonly Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, declared]) => ({
      name: `${method} ${path}`,
      method: method.toUpperCase(),
      path,
      declared,
      token: ((declared.security ?? []).flatMap((scheme) => Object.keys(scheme))[0] ?? null) as Operation['token'],
      bodySchema: declared.requestBody?.content['application/json']?.schema ?? null,
    })),
  );
}

/** @returns what a request is for, by method and path alone; null where the document knows nothing. */
export function findOperation(operations: readonly Operation[], method: string, target: string): Operation | null {
  // A proxy may be sent a whole URL.
  const path = target.replace(/^http:\/\/[^/]*/, '').split('?', 1)[0] ?? '';
  const isAt = ({ path: template }: Operation): boolean => new RegExp(`^${template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  const found = operations.filter((operation) => operation.method === (method === 'HEAD' ? 'GET' : method) && isAt(operation));
  // What is written out goes before what a caller chooses.
  return found.sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0] ?? null;
}
