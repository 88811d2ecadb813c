import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

// What the content security policy or the money rules forbid is caught here, before a browser sees it.
const sinks = ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'srcdoc', 'cssText'].map((property) => ({
  property,
  message: 'HTML and style sinks are blocked by the content security policy.',
}));

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/lib/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      // The type checker knows better.
      'no-undef': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
      'no-eval': 'error',
      'no-restricted-properties': ['error', ...sinks],
      'no-restricted-globals': ['error', 'localStorage', 'sessionStorage'],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: {
      'svelte/no-at-html-tags': 'error',
      // Style directives go through the CSS object model and pass the policy; style attributes do not.
      'no-restricted-syntax': [
        'error',
        {
          selector: "SvelteAttribute[key.name='style']",
          message: 'Blocked by the policy: use style: directives.',
        },
      ],
      'svelte/no-useless-children-snippet': 'off',
      // {' '} keeps a blank that the formatter would drop.
      'svelte/no-useless-mustaches': 'off',
      'svelte/require-each-key': 'error',
      // Reactive maps are used where reactivity is wanted; plain ones are deliberate.
      'svelte/prefer-svelte-reactivity': 'off',
      // Links are ordinary; there is no SvelteKit resolver here.
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
  {
    // Money is text; arithmetic on it goes through lib/money.
    files: ['src/lib/money/**', 'src/features/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.name='parseFloat']",
          message: 'Amounts are decimal text: use lib/money.',
        },
        { selector: "CallExpression[callee.property.name='toFixed']", message: 'Use lib/money/format.' },
      ],
    },
  },
  {
    files: ['e2e/**', 'scripts/**', '*.config.*'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { 'no-console': 'off' },
  },
);
