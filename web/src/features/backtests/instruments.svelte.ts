// The instruments of one venue and contract type, for what a form shows of them: fees and settlement.

import { address } from '../../lib/api/address';
import { useQuery } from '../../lib/api/cache.svelte';
import type { BacktestMarket, Instrument } from '../../lib/api/types';

/** Asks for the instruments beside a market while the calling component is shown. */
export function useInstruments(of: () => BacktestMarket | null): {
  of: (symbol: string | undefined) => Instrument | undefined;
} {
  const query = useQuery(() => {
    const market = of();
    if (!market) return null;
    const { exchange, environment, contract_type } = market;
    return address('/instruments', { exchange, environment, contract_type });
  }, 600_000);
  return { of: (symbol) => query.current.data?.find((instrument) => instrument.symbol === symbol) };
}
