// Where the browser starts: looks first, then the session, then the page.

import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { loadFonts } from './lib/fonts';
import { applyPrefs } from './lib/prefs.svelte';
import { session } from './lib/session/session.svelte';
import { router } from './router.svelte';

applyPrefs();
router.start();
void session.load();
const target = document.getElementById('app');
if (target) mount(App, { target });
loadFonts();
