import type { Rule } from './tree.ts';

const PLACES = /^(?:src|scripts|test)\//;
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
/** Names that say nothing, so that everything ends up in them. */
const EMPTY_WORDS = /^(?:utils?|helpers?|managers?|misc|common)$/;

/** A file is named by its main export, a folder by what it is about, in kebab-case. */
export const fileNames: Rule = (tree) =>
  [...tree.keys()]
    .filter((path) => PLACES.test(path))
    .flatMap((path) => {
      // README.md is the name under which every reader and tool looks for a folder's introduction.
      const names = path.split('/').slice(1).filter((name) => name !== 'README.md');
      const wrong = names.find((name) => !KEBAB_CASE.test(name));
      const empty = names.flatMap((name) => name.split(/[.-]/)).find((word) => EMPTY_WORDS.test(word));
      return [
        ...(wrong === undefined ? [] : [`${path}: "${wrong}" is not kebab-case`]),
        ...(empty === undefined ? [] : [`${path}: "${empty}" is no name, say what it does`]),
      ];
    });
