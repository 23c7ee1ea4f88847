/** Where in the file a block is; both count from the file's first byte. */
export interface BlockPlace {
  readonly bitmapOffset: number;
  readonly pagesOffset: number;
}

/** A block's places in the file and its bitmap, as those need them who write pages. */
export interface MappedPlace extends BlockPlace {
  /** Address of the bitmap until it is written, in the machine's memory. */
  readonly bitmap: number;
}

/** How pages get to their places in a file. */
export interface MappedPlan {
  /** By block, in the order of the plan; complete before the first page is sent. */
  readonly places: readonly MappedPlace[];
  /** Whether zero pages are looked for. Without that all pages are written. */
  readonly findZeroPages: boolean;
}

/** Where pages go that have places in a file, for a thread that writes them. */
export interface FileTarget {
  readonly kind: 'file';
  /** By block, in the order of the plan. */
  readonly places: readonly MappedPlace[];
}
