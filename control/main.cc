// weir-control: negotiates sessions, samples the dataplane, stores records.
int main() { return 0; }
