/** A Dockerfile as a list of stages; the little grammar that ours uses (no here-documents, no escape directive). */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  /** Stage the sources come from; null = the build context. */
  readonly stage: string | null;
  readonly sources: readonly string[];
  readonly target: string;
}

export interface Dockerfile {
  /** Arguments before the first stage, with their defaults. */
  readonly args: Readonly<Record<string, string>>;
  readonly stages: readonly Stage[];
}

export function parseDockerfile(text: string): Dockerfile {
  const joined = text.replace(/^\s*#.*\n/gm, '').replace(/\\\n/g, ' ');
  const instructions = joined.split('\n').flatMap((line) => {
    const match = /^([A-Z]+)\s+(.+)$/.exec(line.trim());
    return match === null ? [] : [{ name: match[1] as string, text: match[2] as string }];
  });
  const first = instructions.findIndex(({ name }) => name === 'FROM');
  const args = Object.fromEntries(instructions.slice(0, first).map(({ text: arg }) => arg.split(/=(.*)/s).slice(0, 2) as [string, string]));
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructions.slice(first)) {
    if (instruction.name === 'FROM') stages.push({ ...fromOf(instruction.text, args), instructions: [] });
    else stages.at(-1)?.instructions.push(instruction);
  }
  return { args, stages };
}

function fromOf(text: string, args: Readonly<Record<string, string>>): { name: string; base: string } {
  const [image = '', , name = ''] = text.split(/\s+/);
  return { name, base: image.replace(/\$\{(\w+)\}/g, (_, arg: string) => args[arg] ?? '') };
}

/** The instructions of a stage, after those of the stages it stands on. */
export function inherited({ stages }: Dockerfile, name: string): readonly Instruction[] {
  const stage = stages.find((one) => one.name === name);
  return stage === undefined ? [] : [...inherited({ args: {}, stages }, stage.base), ...stage.instructions];
}

export function copiesOf(instructions: readonly Instruction[]): readonly Copy[] {
  return instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ text }) => {
      const words = text.split(/\s+/);
      const stage = words.find((word) => word.startsWith('--from='))?.slice('--from='.length) ?? null;
      const paths = words.filter((word) => !word.startsWith('--'));
      return { stage, sources: paths.slice(0, -1), target: paths.at(-1) as string };
    });
}

/** `ENV A=1 B=2` of all the instructions; a later one wins. */
export function environmentOf(instructions: readonly Instruction[]): Readonly<Record<string, string>> {
  const pairs = instructions.filter(({ name }) => name === 'ENV').flatMap(({ text }) => text.trim().split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]));
}

/** Text of the last instruction of that name, which is the one that counts. */
export function lastOf(instructions: readonly Instruction[], name: string): string | null {
  return instructions.findLast((instruction) => instruction.name === name)?.text ?? null;
}
