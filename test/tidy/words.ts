import ts from 'typescript';
import { codeOf, lineOf, walk } from './source.ts';
import type { Rule, Tree } from './tree.ts';

const UNFINISHED = /\b(?:TODO|FIXME|XXX)\b/;

/** A path that exists on one machine only: a place where people, temporary files or checkouts live. */
const MACHINE_PATH = /(?<![\w.$}~-])\/(?:home|Users|root|tmp|work|workspace)\/[\w.-]+/;

/** Where packages come from is a matter of the machine (npm's own configuration), never of the repository. */
const REGISTRY = /\bhttps?:\/\/[^\s/"'`]*(?:registry|mirror|artifactory|nexus|verdaccio|pypi|npmjs)[^\s/"'`]*/i;

function matches(tree: Tree, places: RegExp, expression: RegExp, complaint: string): readonly string[] {
  return [...tree]
    .filter(([path]) => places.test(path))
    .flatMap(([path, text]) =>
      text.split('\n').flatMap((line, index) => {
        const found = expression.exec(line)?.[0];
        return found === undefined ? [] : [`${path}:${index + 1} ${complaint}: ${found}`];
      }),
    );
}

export const unfinishedWork: Rule = (tree) => matches(tree, /^(?:src|scripts|prisma)\//, UNFINISHED, 'is not finished');
export const machinePaths: Rule = (tree) => matches(tree, /^/, MACHINE_PATH, 'names a path of one machine');
export const registryHosts: Rule = (tree) => matches(tree, /^/, REGISTRY, 'names a package registry');

const FOCUS = /^(?:it|test|describe)(?:\.\w+)*\.only$/;
const SKIP = /^(?:it|test|describe)(?:\.\w+)*\.(?:skip|todo|fails|skipIf|runIf)$/;

/** `.only` leaves out all other tests. One that is skipped says why: in a comment on the line, or on the one before. */
export const leftOutTests: Rule = (tree) =>
  codeOf(tree)
    .filter(({ fileName }) => fileName.endsWith('.test.ts'))
    .flatMap((source) => {
      const lines = source.text.split('\n');
      const found: string[] = [];
      walk(source, (node) => {
        if (!ts.isPropertyAccessExpression(node)) return;
        const call = node.getText(source);
        const line = lineOf(source, node);
        const hasReason = [lines[line - 1], lines[line - 2]].some((text) => /\/\/ \S+|\*\/\s*$/.test(text ?? ''));
        if (FOCUS.test(call)) found.push(`${source.fileName}:${line} ${call} leaves out every other test`);
        else if (SKIP.test(call) && !hasReason) found.push(`${source.fileName}:${line} ${call} without a reason beside it`);
      });
      return found;
    });
