import type { Random } from '../../harness/random.ts';

/** So often is repeated what may be repeated without end. */
const REPEAT_MAX = 12;
const ANY = 'abcXYZ019._-';

/** Random text that matches a regular expression of the kind that schemas use: letters, classes, groups, `|`, `? * + {n,m}`. */
export function textOfPattern(pattern: string, random: Random): string {
  let at = 0;
  const peek = (): string => pattern[at] ?? '';
  const pickLetter = (letters: string): string => letters.charAt(random.below(letters.length));

  function alternatives(): string {
    const branches: string[] = [];
    do branches.push(sequence());
    while (peek() === '|' && ++at > 0);
    return random.pick(branches);
  }

  function sequence(): string {
    let text = '';
    while (peek() !== '' && peek() !== '|' && peek() !== ')') {
      const start = at;
      const first = atom();
      const end = at;
      const times = quantity();
      const after = at;
      // Each repetition is drawn anew.
      for (let n = 0; n < times; n++) {
        at = start;
        text += n === 0 ? first : atom();
      }
      at = times === 0 ? after : Math.max(end, after);
    }
    return text;
  }

  function atom(): string {
    const letter = pattern[at++] ?? '';
    if (letter === '^' || letter === '$') return '';
    if (letter === '(') {
      if (pattern.startsWith('?:', at)) at += 2;
      const text = alternatives();
      at++;
      return text;
    }
    if (letter === '[') return pickLetter(classOf());
    if (letter === '\\') return pickLetter(escaped(pattern[at++] ?? ''));
    return letter === '.' ? pickLetter(ANY) : letter;
  }

  function classOf(): string {
    let letters = '';
    while (peek() !== ']') {
      const letter = pattern[at++] ?? '';
      if (letter === '\\') letters += escaped(pattern[at++] ?? '');
      else if (peek() === '-' && pattern[at + 1] !== ']') {
        const last = pattern.charCodeAt(at + 1);
        at += 2;
        for (let code = letter.charCodeAt(0); code <= last; code++) letters += String.fromCharCode(code);
      } else letters += letter;
    }
    at++;
    return letters;
  }

  function quantity(): number {
    const rest = pattern.slice(at);
    const counted = /^\{(\d+)(,?)(\d*)\}/.exec(rest);
    if (counted !== null) {
      at += counted[0].length;
      const least = Number(counted[1]);
      const most = counted[2] === '' ? least : counted[3] === '' ? least + REPEAT_MAX : Number(counted[3]);
      return least + random.below(most - least + 1);
    }
    const sign = /^[?*+]/.exec(rest)?.[0];
    if (sign === undefined) return 1;
    at++;
    if (sign === '?') return random.below(2);
    return (sign === '+' ? 1 : 0) + random.below(REPEAT_MAX);
  }

  return alternatives();
}

function escaped(letter: string): string {
  if (letter === 'd') return '0123456789';
  if (letter === 'w' || letter === 'S') return ANY;
  return letter;
}
