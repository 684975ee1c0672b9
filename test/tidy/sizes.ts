import ts from 'typescript';
import { codeOf, isCode, lineOf, walk } from './source.ts';
import type { Rule } from './tree.ts';

/** Three screens. A longer file is a single list, and stands in LONG_FILES with its reason. */
export const FILE_LINES_MAX = 300;

/** One screen and a half; most functions have ten lines. */
export const FUNCTION_LINES_MAX = 70;

/** Path → why it may be longer. An entry that is no longer needed is a violation itself. */
export type LongFiles = ReadonlyMap<string, string>;

export const fileSize =
  (longFiles: LongFiles): Rule =>
  (tree) => {
    const isLong = (path: string): boolean => (tree.get(path) ?? '').trimEnd().split('\n').length > FILE_LINES_MAX;
    const tooLong = [...tree.keys()].filter((path) => isCode(path) && isLong(path) && !longFiles.has(path));
    const needless = [...longFiles.keys()].filter((path) => !isLong(path));
    return [
      ...tooLong.map((path) => `${path} has more than ${FILE_LINES_MAX} lines`),
      ...needless.map((path) => `${path} needs no exception: it has at most ${FILE_LINES_MAX} lines`),
    ];
  };

/**
 * A function inside that has a name of its own counts for itself and not for its surroundings: an object made by a
 * function is read like a class, method by method. In tests the callback of `describe` is a list of tests, not a body
 * that must be understood at once.
 */
export const functionSize: Rule = (tree) =>
  codeOf(tree).flatMap((source) => {
    const inTest = source.fileName.endsWith('.test.ts');
    const found: string[] = [];
    walk(source, (node) => {
      if (!hasBody(node) || (inTest && ts.isCallExpression(node.parent))) return;
      const lines = lengthOf(source, node) - namedInside(node).reduce((sum, inner) => sum + lengthOf(source, inner), 0);
      if (lines > FUNCTION_LINES_MAX) found.push(`${source.fileName}:${lineOf(source, node)} is a function of ${lines} lines, more than ${FUNCTION_LINES_MAX}`);
    });
    return found;
  });

function hasBody(node: ts.Node): boolean {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

function lengthOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(source, node);
}

/** The outermost functions with a name inside: declarations, methods, and arrows given to a name. */
function namedInside(node: ts.Node): readonly ts.Node[] {
  const found: ts.Node[] = [];
  node.forEachChild((child) => {
    const anonymous = (ts.isArrowFunction(child) || ts.isFunctionExpression(child)) && !ts.isVariableDeclaration(node) && !ts.isPropertyAssignment(node);
    if (hasBody(child) && !anonymous) found.push(child);
    else found.push(...namedInside(child));
  });
  return found;
}
