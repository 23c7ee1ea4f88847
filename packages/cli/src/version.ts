/** Version of the whole set of packages. */
export const VERSION = '0.1.0';
