import { test } from 'vitest';
import { assertAnswersAreDeclared } from '../http/fuzz/answers-declared.ts';

const CASES = 500;

test('five hundred requests to each route, valid and hostile, and no answer that the API document does not declare', () => assertAnswersAreDeclared(CASES));
