// Compiler options live here so that Vite, svelte-check and ESLint read the same ones.
// `fragments: 'tree'` builds elements with createElement: the page's policy forbids every HTML sink.
export default {
  compilerOptions: { runes: true, fragments: 'tree' },
};
