import { test } from 'vitest';
import { assertAnswersAreDeclared } from './fuzz/answers-declared.ts';

/** To each of some thirty routes; ten times as many in test/long. */
const CASES = 50;

test('whatever is sent to whatever route, the answer is one that the API document declares', () => assertAnswersAreDeclared(CASES), 240_000);
