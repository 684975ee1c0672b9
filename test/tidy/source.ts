import { posix } from 'node:path';
import ts from 'typescript';
import type { Tree } from './tree.ts';

/** One `import`, `export … from` or `import('…')` of a file. */
export interface Import {
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** Path in the tree for a relative import, else null. */
  readonly target: string | null;
  /** Erased when the program runs, so it can be part of no ring. */
  readonly typeOnly: boolean;
}

/** Each text is parsed once, however many rules look at it. */
const parsed = new Map<string, ts.SourceFile>();

export function parse(path: string, text: string): ts.SourceFile {
  const key = `${path}\0${text}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  parsed.set(key, source);
  return source;
}

export function isCode(path: string): boolean {
  return /\.(?:ts|mjs|js)$/.test(path);
}

export function codeOf(tree: Tree): readonly ts.SourceFile[] {
  return [...tree].filter(([path]) => isCode(path)).map(([path, text]) => parse(path, text));
}

/** Visits a node and everything below it. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
}

export function importsOf(tree: Tree): readonly Import[] {
  return codeOf(tree).flatMap((source) => {
    const found: Import[] = [];
    walk(source, (node) => {
      const specifier = specifierOf(node);
      if (specifier === null) return;
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(source.fileName), specifier) : null;
      found.push({ from: source.fileName, specifier, target, typeOnly: isTypeOnly(node) });
    });
    return found;
  });
}

function specifierOf(node: ts.Node): string | null {
  let specifier: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) specifier = node.moduleSpecifier;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) specifier = node.arguments[0];
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) specifier = node.argument.literal;
  return specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : null;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly || allTypeOnly(node.exportClause);
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { phaseModifier, name, namedBindings } = node.importClause;
  return phaseModifier === ts.SyntaxKind.TypeKeyword || (name === undefined && allTypeOnly(namedBindings));
}

/** `import { type A, type B }` keeps the import itself, but takes no value from it. */
function allTypeOnly(names: ts.Node | undefined): boolean {
  if (names === undefined || !(ts.isNamedImports(names) || ts.isNamedExports(names))) return false;
  return names.elements.length > 0 && names.elements.every((element) => element.isTypeOnly);
}
