// The parts of the chart library that are used, so that the build leaves out the rest. Loaded only with a chart.

export {
  AreaSeries,
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  LineSeries,
  LineStyle,
} from 'lightweight-charts';
