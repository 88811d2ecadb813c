// What a table's column is.

export interface Column<Row> {
  id: string;
  title: string;
  align?: 'left' | 'right';
  /** Folds away below 1500 px (`widest`), 1200 px (`wide`) or 800 px (`medium`). */
  fold?: 'widest' | 'wide' | 'medium';
  sortable?: boolean;
  /** Shown to assistive technology only, for a column of buttons. */
  hideTitle?: boolean;
  /** Only ties the column to its rows' type. */
  readonly row?: Row;
}
