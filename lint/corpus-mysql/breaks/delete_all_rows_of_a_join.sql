DELETE settings FROM settings;
