/**
 * The part of .gitignore and .dockerignore that this repository uses: comments, `*`, `**`, `!`, folders. The last pattern
 * that matches a path or one of its folders decides. The two differ in one thing: git's `name` matches in every folder,
 * Docker's only at the top.
 */
export type IgnoreKind = 'git' | 'docker';

/** @returns whether a path (relative, with `/`) is left out. */
export function readIgnoreFile(text: string, kind: IgnoreKind): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ ignored: !line.startsWith('!'), expression: toExpression(line.replace(/^!/, ''), kind) }));
  return (path) => {
    const selfAndFolders = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
    const last = patterns.findLast(({ expression }) => selfAndFolders.some((part) => expression.test(part)));
    return last?.ignored ?? false;
  };
}

function toExpression(pattern: string, kind: IgnoreKind): RegExp {
  const name = pattern.replace(/^\/|\/$/g, '');
  const everywhere = kind === 'git' && !name.includes('/') && !pattern.startsWith('/');
  const source = name
    .split(/(\*\*\/|\*\*|\*)/)
    .map((part) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*' })[part] ?? part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('');
  return new RegExp(`^${everywhere ? '(?:.*/)?' : ''}${source}$`);
}
