import { IS_CHECKOUT } from '../process/checkout.ts';

/** What to do when the programs of an embedded server are not there: in a clone they can be had, in an image they cannot. */
export function programsMissing(name: string, variable: string, isCheckout = IS_CHECKOUT): string {
  if (isCheckout) return `Run "node scripts/install.mjs", which installs what can be installed here; or set ${variable}, and PAYNOTIFY_EMBEDDED to what is still to be started here.`;
  return `This image does not have them: set ${variable} and take ${name} out of PAYNOTIFY_EMBEDDED, or use the image "standalone", which brings its own servers.`;
}
