export { SimLoop } from '@sterna/testkit';
