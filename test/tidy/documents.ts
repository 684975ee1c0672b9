import { posix } from 'node:path';
import type { Rule } from './tree.ts';

const LINK = /\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g;

/** One title, first; and every relative link leads to a file or a folder, every `#part` to a heading of it. */
export const documents: Rule = (tree) =>
  [...tree]
    .filter(([path]) => path.endsWith('.md'))
    .flatMap(([path, text]) => {
      const prose = withoutCode(text);
      const titles = prose.split('\n').filter((line) => line.startsWith('# ')).length;
      const broken = [...prose.matchAll(LINK)].map((match) => match[1] as string).filter((link) => !leadsSomewhere(link, path, tree));
      return [
        ...(titles === 1 ? [] : [`${path} has ${titles} titles instead of one`]),
        ...broken.map((link) => `${path} links to ${link}, which is not there`),
      ];
    });

/** A command for a reader: in backticks, or a line of a shell block. Words in brackets stand for something else. */
const COMMAND = /(?:`|^)(npm (?:start|test|run [a-z][^`\n[<]*?))(?:`|$)/gm;
const CI_SCRIPT = 'scripts/ci.sh';

/** A command that nobody runs stops working unnoticed. */
export const commandsRunByCi: Rule = (tree) =>
  [...tree]
    .filter(([path]) => path === 'README.md' || path === 'docs/ARCHITECTURE.md')
    .flatMap(([path, text]) => [...text.matchAll(COMMAND)].map((match) => ({ path, command: match[1] as string })))
    .filter(({ command }) => !(tree.get(CI_SCRIPT) ?? '').includes(command))
    .map(({ path, command }) => `${path} tells of "${command}", which ${CI_SCRIPT} does not run`);

function withoutCode(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()#]/g, ' '));
}

function leadsSomewhere(link: string, path: string, tree: ReadonlyMap<string, string>): boolean {
  if (/^[a-z]+:/.test(link)) return true;
  const [file = '', part] = link.split('#');
  const target = file === '' ? path : posix.join(posix.dirname(path), file).replace(/\/$/, '');
  const text = tree.get(target);
  if (text === undefined) return target === '.' || [...tree.keys()].some((other) => other.startsWith(`${target}/`));
  return part === undefined || !target.endsWith('.md') || anchorsOf(text).includes(part);
}

/** As code hosts make them: lower case, spaces to dashes, everything but letters, digits, `-` and `_` dropped. */
function anchorsOf(text: string): readonly string[] {
  const headings = text.split('\n').filter((line) => /^#{1,6} /.test(line));
  return headings.map((line) => line.replace(/^#+ /, '').trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-'));
}
