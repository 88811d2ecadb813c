// Every page and its address; each page is its own file in the build.

import type { RouteDefinition } from './match';

export const routes: readonly RouteDefinition[] = [
  { path: '/claim', load: () => import('./features/setup/ClaimPage.svelte'), open: true },
  { path: '/login', load: () => import('./features/signin/SignInPage.svelte'), open: true },
  { path: '/register', load: () => import('./features/signin/RegisterPage.svelte'), open: true },
  { path: '/welcome', load: () => import('./features/setup/WelcomePage.svelte') },
  { path: '/welcome/paper', load: () => import('./features/setup/PaperPage.svelte') },
  { path: '/', load: () => import('./features/dashboard/DashboardPage.svelte') },
  { path: '/bots', load: () => import('./features/bots/BotsPage.svelte') },
  { path: '/bots/:id/:tab?', load: () => import('./features/bots/BotPage.svelte') },
  { path: '/templates', load: () => import('./features/templates/TemplatesPage.svelte') },
  { path: '/templates/new', load: () => import('./features/templates/TemplateEditPage.svelte') },
  { path: '/templates/:id', load: () => import('./features/templates/TemplatePage.svelte') },
  { path: '/templates/:id/edit', load: () => import('./features/templates/TemplateEditPage.svelte') },
  { path: '/backtests', load: () => import('./features/backtests/BacktestsPage.svelte') },
  { path: '/backtests/new', load: () => import('./features/backtests/NewBacktestPage.svelte') },
  { path: '/backtests/compare', load: () => import('./features/backtests/ComparePage.svelte') },
  { path: '/backtests/:id', load: () => import('./features/backtests/BacktestPage.svelte') },
  { path: '/trades', load: () => import('./features/trades/TradesPage.svelte') },
  { path: '/trades/:id', load: () => import('./features/trades/TradePage.svelte') },
  { path: '/keys', load: () => import('./features/keys/KeysPage.svelte') },
  { path: '/keys/new', load: () => import('./features/keys/AddKeyPage.svelte') },
  { path: '/keys/:id', load: () => import('./features/keys/KeyPage.svelte') },
  { path: '/protections', load: () => import('./features/protections/ProtectionsPage.svelte') },
  { path: '/activity', load: () => import('./features/activity/ActivityPage.svelte') },
  { path: '/account/:part?', load: () => import('./features/account/AccountPage.svelte') },
];
