import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Whether this program runs in a clone of the project, where `npm run …` works and what is missing can be installed, and
 * not in an image: of the repository's folders, an image has all that the program needs but no scripts.
 */
export const IS_CHECKOUT = existsSync(fileURLToPath(new URL('../../../scripts/install.mjs', import.meta.url)));
