import tseslint from 'typescript-eslint';

/** Types first: rules that find real faults (floating promises, unsafe any), few rules of taste. */
export default tseslint.config(
  { ignores: ['node_modules/', 'src/generated/', '.data/', 'scripts/**/*.mjs', 'eslint.config.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers in messages and log lines are fine; objects are not.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowAny: false }],
      // The project returns early from arrow functions that give void.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // A name that begins with _ says that it is not used.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Fastify's plugins and the interfaces of dependencies are async by contract, also where nothing is awaited.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['test/**', '**/*.test.ts'],
    rules: {
      // Tests assert on what they index; a missing element fails the assertion itself.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Answers of the API under test are looked into as they come; `expect` is their type check.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // What beforeAll assigns may be missing in afterAll.
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
);
