import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIgnoreFile } from './ignore-file.ts';

/** Path (relative, with `/`) → text. A rule sees nothing else, so a sample tree is a literal. */
export type Tree = ReadonlyMap<string, string>;

/** A rule gives one line per violation, beginning with the path; an empty list is a tidy tree. */
export type Rule = (tree: Tree) => readonly string[];

const BINARY = /\.(?:png|jpg|ico|woff2?|sqlite|gz)$/;

export function tree(files: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(files));
}

/** Every text file below `root` that .gitignore does not leave out. */
export function readTree(root: string): Tree {
  const isIgnored = readIgnoreFile(readFileSync(join(root, '.gitignore'), 'utf8'), 'git');
  const files = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (path === '.git' || isIgnored(path)) continue;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && !BINARY.test(path)) files.set(path, readFileSync(join(root, path), 'utf8'));
    }
  };
  visit('');
  return files;
}
