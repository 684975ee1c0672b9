import tseslint from 'typescript-eslint';

/** Whatever else an object holds would be a column, or a condition. */
const NAMED_IN_THE_DATABASE = {
  selector:
    'CallExpression[callee.property.name=/^(find|create|update|upsert|delete|count|groupBy|aggregate)/][callee.object.type="MemberExpression"] ObjectExpression > SpreadElement:matches([argument.type="Identifier"], [argument.type="MemberExpression"])',
  message: 'Name the members that go to the database.',
};

/** The rest of a request is whatever its sender has added. */
const NAMED_OF_A_REQUEST = [
  'ArrowFunctionExpression[async=true] > ObjectPattern.params RestElement',
  'VariableDeclarator:matches([init.name=/^(body|query|params)$/], [init.property.name=/^(body|query|params)$/]) > ObjectPattern RestElement',
  'SpreadElement:matches([argument.name=/^(body|query|params|request)$/], [argument.property.name=/^(body|query|params)$/])',
].map((selector) => ({ selector, message: 'Name what is used of a request.' }));

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
  { files: ['src/**/*.ts'], ignores: ['**/*.test.ts'], rules: { 'no-restricted-syntax': ['error', NAMED_IN_THE_DATABASE] } },
  { files: ['src/**/*-routes.ts'], rules: { 'no-restricted-syntax': ['error', NAMED_IN_THE_DATABASE, ...NAMED_OF_A_REQUEST] } },
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
